"""Load generators, scripted upstreams and measuring tools."""
