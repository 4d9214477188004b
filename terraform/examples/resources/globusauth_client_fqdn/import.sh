terraform import globusauth_client_fqdn.portal c0110a3f-512b-4cc8-b1cb-04e3f864ab73/laboratory.example.edu
