// Signs in to a simulated tenant with Microsoft's libraries for Node, calls the API with each token, and verifies each
// token as a service does. The facts about the tenant, as `xsoar-defender simulate --json` prints them, are in the file that
// the first argument names; Node must trust the tenant's certificate (NODE_EXTRA_CA_CERTS).
import { readFileSync } from 'node:fs';
import assert from 'node:assert/strict';
import { createPublicKey, createVerify } from 'node:crypto';
import { ClientSecretCredential, ClientCertificateCredential, ClientAssertionCredential, WorkloadIdentityCredential, AuthorizationCodeCredential, ManagedIdentityCredential } from '@azure/identity';
import { ConfidentialClientApplication } from '@azure/msal-node';

const tenant = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const host = new URL(tenant.url).host;
const options = { authorityHost: tenant.url, disableInstanceDiscovery: true };

const json = async (url) => (await fetch(url)).json();

async function verified(token) {
  const [head, body, signature] = token.split('.');
  const header = JSON.parse(Buffer.from(head, 'base64url'));
  const configuration = await json(`${tenant.authority}/v2.0/.well-known/openid-configuration`);
  const { keys } = await json(configuration.jwks_uri);
  const jwk = keys.find((key) => key.kid === header.kid);
  assert(jwk, 'the key of the token is not in the key set');
  const verify = createVerify('RSA-SHA256').update(`${head}.${body}`);
  assert(verify.verify(createPublicKey({ key: jwk, format: 'jwk' }), signature, 'base64url'), 'the signature is wrong');
  return JSON.parse(Buffer.from(body, 'base64url'));
}

async function works(name, token, wanted = 200) {
  await verified(token);
  const answer = await fetch(`${tenant.url}/api/machines?$top=1`, { headers: { Authorization: `Bearer ${token}` } });
  assert.equal(answer.status, wanted, `${name}: the API answers ${answer.status}`);
  console.log(`ok  ${name}`);
}

async function signIn(nonce) {
  const scope = encodeURIComponent(`openid profile offline_access ${tenant.scopes.defender}`);
  const address = `${tenant.authority}/oauth2/v2.0/authorize?client_id=${tenant.clientId}&response_type=code` + (nonce ? `&nonce=${nonce}` : '') +
    `&redirect_uri=${encodeURIComponent(tenant.redirectUri)}&scope=${scope}`;
  const answer = await fetch(address, { redirect: 'manual' });
  return new URL(answer.headers.get('location')).searchParams.get('code');
}

const credentials = {
  '@azure/identity ClientSecretCredential': new ClientSecretCredential(tenant.tenantId, tenant.clientId, tenant.clientSecret, options),
  '@azure/identity ClientCertificateCredential': new ClientCertificateCredential(tenant.tenantId, tenant.clientId, { certificate: tenant.clientCertificate }, options),
  '@azure/identity ClientAssertionCredential': new ClientAssertionCredential(tenant.tenantId, tenant.clientId, async () => readFileSync(tenant.workloadTokenFile, 'utf8'), options),
  '@azure/identity WorkloadIdentityCredential': new WorkloadIdentityCredential({ ...options, tenantId: tenant.tenantId, clientId: tenant.clientId, tokenFilePath: tenant.workloadTokenFile }),
  '@azure/identity AuthorizationCodeCredential': new AuthorizationCodeCredential(tenant.tenantId, tenant.clientId, tenant.clientSecret, await signIn(), tenant.redirectUri, options),
};
process.env.IDENTITY_ENDPOINT = tenant.identityEndpoint;
process.env.IDENTITY_HEADER = tenant.identityHeader;
credentials['@azure/identity ManagedIdentityCredential'] = new ManagedIdentityCredential();

for (const [name, credential] of Object.entries(credentials)) {
  const { token, expiresOnTimestamp } = await credential.getToken(tenant.scopes.defender);
  assert(expiresOnTimestamp > Date.now());
  await works(name, token);
}
const graph = await credentials['@azure/identity ClientSecretCredential'].getToken(tenant.scopes.graph);
assert.equal((await verified(graph.token)).aud, 'https://graph.microsoft.com');
console.log('ok  a token for Microsoft Graph');

const app = new ConfidentialClientApplication({
  auth: { clientId: tenant.clientId, authority: tenant.authority, clientSecret: tenant.clientSecret, knownAuthorities: [host] },
});
const own = await app.acquireTokenByClientCredential({ scopes: [tenant.scopes.defender] });
await works('@azure/msal-node client credentials', own.accessToken);
const code = await signIn('n-1');
const first = await app.acquireTokenByCode({ code, nonce: 'n-1', redirectUri: tenant.redirectUri, scopes: [tenant.scopes.defender] });
await works('@azure/msal-node authorization code', first.accessToken);
assert.equal(first.account.username, tenant.user);
assert.equal((await verified(first.idToken)).aud, tenant.clientId);
const cached = await app.acquireTokenSilent({ account: first.account, scopes: [tenant.scopes.defender] });
assert(cached.fromCache && cached.accessToken === first.accessToken, 'a token that is good was asked for again');
const renewed = await app.acquireTokenSilent({ account: first.account, scopes: [tenant.scopes.defender], forceRefresh: true });
assert.notEqual(renewed.accessToken, first.accessToken);
await works('@azure/msal-node silent renewal', renewed.accessToken);
const other = await app.acquireTokenSilent({ account: first.account, scopes: [tenant.scopes.graph] });
assert.equal((await verified(other.accessToken)).aud, 'https://graph.microsoft.com');
console.log('ok  @azure/msal-node silent change of the resource');
await assert.rejects(
  new ClientSecretCredential(tenant.tenantId, tenant.clientId, 'wrong', options).getToken(tenant.scopes.defender),
  /AADSTS7000215/);
console.log('ok  @azure/identity reports a wrong secret');
