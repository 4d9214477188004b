terraform import globusauth_client_instance.login_node a0000000-0000-4000-8000-000000000003/ef42202a-8a8d-4615-918d-77a3eae6b72c
