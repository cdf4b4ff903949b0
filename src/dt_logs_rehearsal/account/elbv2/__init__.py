"""Elastic Load Balancing: load balancers, and the access logs that they write."""
