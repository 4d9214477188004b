terraform import globusauth_project.laboratory b0000000-0000-4000-8000-000000000001
