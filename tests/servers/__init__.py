"""Real S3 servers for tests, from packages that pip can install, on loopback, for as long as a test needs.

`start` starts them, `server.Server` describes one that runs, `client` is an S3 client that shares no code
with outhaul, and `process` with `leash` sees to it that no server outlives the tests.
"""
