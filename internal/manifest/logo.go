package manifest

import _ "embed"

// logo is the integration's logo, a shield with a check mark: a PNG of 120 by 50 pixels and at most 10 kB, as
// https://xsoar.pan.dev/docs/integrations/integration-logo asks for.
//
//go:embed logo.png
var logo []byte
