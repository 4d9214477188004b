terraform import globusauth_client_credential.portal c0110a3f-512b-4cc8-b1cb-04e3f864ab73/ef42202a-8a8d-4615-918d-77a3eae6b72c
