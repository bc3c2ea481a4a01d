"""The chain: filters, their verdict, the policy that decides by it, and the report of all of it."""
