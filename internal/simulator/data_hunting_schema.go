package simulator

import (
	"maps"
	"strings"

	"xsoar-defender/internal/simulator/kusto"
)

// The columns that several tables share; one without a type is text.
const (
	actorColumns = ` InitiatingProcessSHA1 InitiatingProcessSHA256 InitiatingProcessMD5 InitiatingProcessFileName
		InitiatingProcessFileSize:long InitiatingProcessVersionInfoCompanyName InitiatingProcessVersionInfoProductName
		InitiatingProcessVersionInfoProductVersion InitiatingProcessVersionInfoInternalFileName
		InitiatingProcessVersionInfoOriginalFileName InitiatingProcessVersionInfoFileDescription
		InitiatingProcessId:long InitiatingProcessCommandLine InitiatingProcessCreationTime:datetime
		InitiatingProcessFolderPath InitiatingProcessParentId:long InitiatingProcessParentFileName
		InitiatingProcessParentCreationTime:datetime InitiatingProcessAccountDomain InitiatingProcessAccountName
		InitiatingProcessAccountSid InitiatingProcessAccountUpn InitiatingProcessAccountObjectId`
	rightsColumns  = ` InitiatingProcessIntegrityLevel InitiatingProcessTokenElevation`
	sessionColumns = ` InitiatingProcessSessionId:long IsInitiatingProcessRemoteSession:bool
		InitiatingProcessRemoteSessionDeviceName InitiatingProcessRemoteSessionIP InitiatingProcessUniqueId`
	eventColumns = `Timestamp:datetime DeviceId DeviceName ActionType `
	fileColumns  = ` FileName FolderPath SHA1 SHA256 MD5 FileSize:long`
)

// huntingSchemas are the tables that can be hunted in, with their documented columns
// (https://learn.microsoft.com/defender-xdr/advanced-hunting-schema-tables).
func huntingSchemas() map[string]string {
	all := officeSchemas()
	maps.Copy(all, map[string]string{
		"DeviceEvents": eventColumns + fileColumns + ` AccountDomain AccountName AccountSid RemoteUrl RemoteDeviceName
			ProcessId:long ProcessCommandLine ProcessCreationTime:datetime ProcessTokenElevation LogonId:long RegistryKey
			RegistryValueName RegistryValueData RemoteIP RemotePort:int LocalIP LocalPort:int FileOriginUrl FileOriginIP` +
			actorColumns + ` InitiatingProcessLogonId:long ReportId:long AppGuardContainerId AdditionalFields` + sessionColumns +
			` CreatedProcessSessionId:long IsProcessRemoteSession:bool ProcessRemoteSessionDeviceName ProcessRemoteSessionIP`,
		"DeviceFileEvents": eventColumns + fileColumns + ` FileOriginUrl FileOriginReferrerUrl FileOriginIP PreviousFolderPath
			PreviousFileName` + actorColumns + rightsColumns + ` RequestProtocol RequestSourceIP RequestSourcePort:int
			RequestAccountName RequestAccountDomain RequestAccountSid ShareName SensitivityLabel SensitivitySubLabel
			IsAzureInfoProtectionApplied:bool ReportId:long AppGuardContainerId AdditionalFields` + sessionColumns,
		"DeviceImageLoadEvents": eventColumns + fileColumns + actorColumns + rightsColumns +
			` ReportId:long AppGuardContainerId` + sessionColumns,
		"DeviceLogonEvents": eventColumns + ` LogonType AccountDomain AccountName AccountSid Protocol FailureReason
			IsLocalAdmin:bool LogonId:long RemoteDeviceName RemoteIP RemoteIPType RemotePort:int` + actorColumns + rightsColumns +
			` ReportId:long AppGuardContainerId AdditionalFields` + sessionColumns,
		"DeviceNetworkEvents": eventColumns + ` RemoteIP RemotePort:int RemoteUrl LocalIP LocalPort:int Protocol LocalIPType
			RemoteIPType` + actorColumns + rightsColumns + ` ReportId:long AppGuardContainerId AdditionalFields` + sessionColumns,
		"DeviceProcessEvents": eventColumns + fileColumns + ` ProcessVersionInfoCompanyName ProcessVersionInfoProductName
			ProcessVersionInfoProductVersion ProcessVersionInfoInternalFileName ProcessVersionInfoOriginalFileName
			ProcessVersionInfoFileDescription ProcessId:long ProcessCommandLine ProcessIntegrityLevel ProcessTokenElevation
			ProcessCreationTime:datetime AccountDomain AccountName AccountSid AccountUpn AccountObjectId LogonId:long` +
			actorColumns + rightsColumns + ` InitiatingProcessLogonId:long InitiatingProcessSignerType
			InitiatingProcessSignatureStatus ReportId:long AppGuardContainerId AdditionalFields` + sessionColumns +
			` CreatedProcessSessionId:long IsProcessRemoteSession:bool ProcessRemoteSessionDeviceName ProcessRemoteSessionIP
			ProcessUniqueId`,
		"DeviceRegistryEvents": eventColumns + ` RegistryKey RegistryValueType RegistryValueName RegistryValueData
			PreviousRegistryKey PreviousRegistryValueName PreviousRegistryValueData` + actorColumns + rightsColumns +
			` ReportId:long AppGuardContainerId` + sessionColumns,
		"DeviceFileCertificateInfo": `Timestamp:datetime DeviceId DeviceName SHA1 IsSigned:bool SignatureType Signer SignerHash
			Issuer IssuerHash CertificateSerialNumber CrlDistributionPointUrls CertificateCreationTime:datetime
			CertificateExpirationTime:datetime CertificateCountersignatureTime:datetime IsTrusted:bool
			IsRootSignerMicrosoft:bool ReportId:long`,
		"DeviceInfo": `Timestamp:datetime DeviceId DeviceName ClientVersion PublicIP OSArchitecture OSPlatform OSBuild:long
			IsAzureADJoined:bool JoinType AadDeviceId LoggedOnUsers RegistryDeviceTag OSVersion MachineGroup ReportId:long
			OnboardingStatus AdditionalFields DeviceCategory DeviceType DeviceSubtype Model Vendor OSDistribution OSVersionInfo
			MergedDeviceIds MergedToDeviceId IsInternetFacing:bool SensorHealthState IsExcluded:bool ExclusionReason
			ExposureLevel AssetValue DeviceManualTags DeviceDynamicTags ConnectivityType HostDeviceId`,
		"DeviceNetworkInfo": `Timestamp:datetime DeviceId DeviceName NetworkAdapterName MacAddress NetworkAdapterType
			NetworkAdapterStatus TunnelType ConnectedNetworks DnsAddresses IPv4Dhcp IPv6Dhcp DefaultGateways IPAddresses
			ReportId:long NetworkAdapterVendor`,
		"DeviceTvmSoftwareInventory": `DeviceId DeviceName OSPlatform OSVersion OSArchitecture SoftwareVendor SoftwareName
			SoftwareVersion EndOfSupportStatus EndOfSupportDate:datetime ProductCodeCpe`,
		"DeviceTvmSoftwareVulnerabilities": `DeviceId DeviceName OSPlatform OSVersion OSArchitecture SoftwareVendor
			SoftwareName SoftwareVersion CveId VulnerabilitySeverityLevel RecommendedSecurityUpdate
			RecommendedSecurityUpdateId CveTags CveMitigationStatus`,
		"AlertInfo": `Timestamp:datetime AlertId Title Category Severity ServiceSource DetectionSource AttackTechniques`,
		"AlertEvidence": `Timestamp:datetime AlertId Title Categories AttackTechniques ServiceSource DetectionSource EntityType
			EvidenceRole EvidenceDirection FileName FolderPath SHA1 SHA256 FileSize:long ThreatFamily RemoteIP RemoteUrl
			AccountName AccountDomain AccountSid AccountObjectId AccountUpn DeviceId DeviceName LocalIP NetworkMessageId
			EmailSubject Application ApplicationId:int OAuthApplicationId ProcessCommandLine RegistryKey RegistryValueName
			RegistryValueData AdditionalFields Severity CloudResource CloudPlatform ResourceType ResourceID SubscriptionId`,
	})
	return all
}

// columnsOf returns the columns of a table, or none for a table that does not exist.
func columnsOf(table string) []kusto.Column {
	return each(strings.Fields(huntingSchemas()[table]), func(text string) kusto.Column {
		name, kind, typed := strings.Cut(text, ":")
		if !typed {
			kind = string(kusto.String)
		}
		return kusto.Column{Name: name, Type: kusto.Type(kind)}
	})
}
