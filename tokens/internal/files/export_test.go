package files

// OwnerText is the content of an exclusive lock file.
var OwnerText = ownerText
