package simulator

// officeSchemas are the tables about mail, identities, cloud applications and behaviors, with the columns that Microsoft
// documents for them.
//
// https://learn.microsoft.com/en-us/defender-xdr/advanced-hunting-schema-tables
func officeSchemas() map[string]string {
	const (
		account = ` AccountName AccountDomain AccountUpn AccountSid AccountObjectId AccountDisplayName`
		target  = ` TargetAccountUpn TargetAccountDisplayName TargetDeviceName`
		place   = ` IPAddress Port:int DestinationDeviceName DestinationIPAddress DestinationPort:int`
	)
	return map[string]string{
		"EmailEvents": `Timestamp:datetime NetworkMessageId InternetMessageId SenderMailFromAddress SenderFromAddress SenderDisplayName
			SenderObjectId SenderMailFromDomain SenderFromDomain SenderIPv4 SenderIPv6 RecipientEmailAddress RecipientObjectId
			RecipientDomain Subject EmailClusterId:long EmailDirection DeliveryAction DeliveryLocation ThreatTypes ThreatNames
			DetectionMethods ConfidenceLevel BulkComplaintLevel:int EmailAction EmailActionPolicy EmailActionPolicyGuid
			AuthenticationDetails AttachmentCount:int UrlCount:int EmailLanguage Connectors OrgLevelAction OrgLevelPolicy
			UserLevelAction UserLevelPolicy ReportId AdditionalFields LatestDeliveryLocation LatestDeliveryAction EmailSize:long
			IsFirstContact:bool To:dynamic Cc:dynamic DistributionList ForwardingInformation Context ExchangeTransportRule`,
		"EmailAttachmentInfo": `Timestamp:datetime NetworkMessageId SenderFromAddress SenderDisplayName SenderObjectId
			RecipientEmailAddress RecipientObjectId FileName FileType SHA256 MalwareFilterVerdict MalwareDetectionMethod
			ThreatTypes ThreatNames DetectionMethods FileSize:long ReportId FileExtension`,
		"EmailUrlInfo": `Timestamp:datetime NetworkMessageId Url UrlDomain UrlLocation ReportId`,
		"EmailPostDeliveryEvents": `Timestamp:datetime NetworkMessageId InternetMessageId Action ActionType ActionTrigger ActionResult
			RecipientEmailAddress DeliveryLocation ThreatTypes DetectionMethods ReportId`,
		"UrlClickEvents": `Timestamp:datetime Url ActionType AccountUpn Workload NetworkMessageId ThreatTypes DetectionMethods IPAddress
			IsClickedThrough:bool UrlChain ReportId AppName AppVersion SourceId`,
		"IdentityInfo": `Timestamp:datetime ReportId AccountObjectId AccountUpn OnPremSid AccountDisplayName AccountName AccountDomain
			CriticalityLevel:int Type DistinguishedName CloudSid GivenName Surname Department JobTitle EmailAddress Manager Address City Country
			Phone CreatedDateTime:datetime SourceProvider ChangeSource Tags:dynamic AssignedRoles:dynamic PrivilegedEntraPimRoles:dynamic
			TenantId SourceSystem OnPremObjectId TenantMembershipType RiskStatus UserAccountControl:dynamic IdentityEnvironment
			SourceProviders:dynamic GroupMembership:dynamic SipProxyAddress IsAccountEnabled:bool OtherMailAddresses:dynamic`,
		"IdentityLogonEvents": `Timestamp:datetime ActionType Application LogonType Protocol FailureReason` + account + ` DeviceName DeviceType
			OSPlatform` + place + target + ` Location ISP ReportId AdditionalFields:dynamic UncommonForUser:dynamic LastSeenForUser:dynamic`,
		"IdentityQueryEvents": `Timestamp:datetime ActionType Application QueryType QueryTarget Query Protocol` + account +
			` DeviceName` + place + target + ` Location ReportId AdditionalFields:dynamic`,
		"IdentityDirectoryEvents": `Timestamp:datetime ActionType Application` + target + account + ` DeviceName` + place +
			` Protocol Location ISP ReportId AdditionalFields:dynamic`,
		"CloudAppEvents": `Timestamp:datetime ActionType Application ApplicationId:int AppInstanceId:int AccountObjectId AccountId
			AccountDisplayName IsAdminOperation:bool DeviceType OSPlatform IPAddress IsAnonymousProxy:bool CountryCode City ISP UserAgent
			ActivityType ActivityObjects:dynamic ObjectName ObjectType ObjectId ReportId AccountType IsExternalUser:bool
			IsImpersonated:bool IPTags:dynamic IPCategory UserAgentTags:dynamic RawEventData:dynamic AdditionalFields:dynamic
			LastSeenForUser:dynamic UncommonForUser:dynamic AuditSource SessionData:dynamic OAuthAppId`,
		"AADSignInEventsBeta": `Timestamp:datetime Application ApplicationId LogonType ErrorCode:int CorrelationId SessionId
			AccountDisplayName AccountObjectId AccountUpn IsExternalUser:int IsGuestUser:bool AlternateSignInName LastPasswordChangeTimestamp:datetime
			ResourceDisplayName ResourceId ResourceTenantId DeviceName AadDeviceId OSPlatform DeviceTrustType IsManaged:int
			IsCompliant:int AuthenticationProcessingDetails AuthenticationRequirement TokenIssuerType RiskLevelAggregated:int
			RiskDetails:int RiskState:int UserAgent ClientAppUsed Browser ConditionalAccessPolicies ConditionalAccessStatus:int IPAddress
			Country State City Latitude Longitude NetworkLocationDetails RequestId ReportId EndpointCall`,
		"AADSpnSignInEventsBeta": `Timestamp:datetime Application ApplicationId IsManagedIdentity:bool ErrorCode:int CorrelationId ServicePrincipalName
			ServicePrincipalId ResourceDisplayName ResourceId ResourceTenantId IPAddress Country State City Latitude Longitude RequestId
			ReportId`,
		"DeviceTvmInfoGathering":   `Timestamp:datetime LastSeenTime:datetime DeviceId DeviceName OSPlatform AdditionalFields:dynamic`,
		"DeviceTvmInfoGatheringKB": `IgId FieldName Description Categories:dynamic DataStructure`,
		"BehaviorInfo": `Timestamp:datetime BehaviorId ActionType Description Categories AttackTechniques ServiceSource DetectionSource
			DataSources DeviceId AccountUpn AccountObjectId StartTime:datetime EndTime:datetime AdditionalFields`,
		"BehaviorEntities": `Timestamp:datetime BehaviorId ActionType Categories ServiceSource DetectionSource DataSources EntityType
			EntityRole DetailedEntityRole FileName FolderPath SHA1 SHA256 FileSize:long ThreatFamily RemoteIP RemoteUrl AccountName
			AccountDomain AccountSid AccountObjectId AccountUpn DeviceId DeviceName LocalIP NetworkMessageId EmailSubject
			EmailClusterId Application ApplicationId:int OAuthApplicationId ProcessCommandLine RegistryKey RegistryValueName
			RegistryValueData AdditionalFields`,
		"DeviceTvmSoftwareVulnerabilitiesKB": `CveId CvssScore:real CvssVector IsExploitAvailable:bool VulnerabilitySeverityLevel
			LastModifiedTime:datetime PublishedDate:datetime VulnerabilityDescription AffectedSoftware:dynamic EpssScore:real`,
		"DeviceTvmSecureConfigurationAssessment": `DeviceId DeviceName OSPlatform Timestamp:datetime ConfigurationId ConfigurationCategory
			ConfigurationSubcategory ConfigurationImpact:real IsCompliant:bool IsApplicable:bool Context:dynamic
			IsExpectedUserImpact:bool`,
		"DeviceTvmSecureConfigurationAssessmentKB": `ConfigurationId ConfigurationImpact:real ConfigurationName ConfigurationDescription
			RiskDescription ConfigurationCategory ConfigurationSubcategory ConfigurationBenchmarks:dynamic Tags:dynamic
			RemediationOptions`,
	}
}
