terraform import globusauth_policy.fresh ef42202a-8a8d-4615-918d-77a3eae6b72c
