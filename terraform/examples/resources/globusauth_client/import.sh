terraform import globusauth_client.portal c0110a3f-512b-4cc8-b1cb-04e3f864ab73
