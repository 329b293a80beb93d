"""Many devices that meet in a bucket: what each tells there, what is read of it, and what one may be told. No server is needed.

Nothing here decides about a file: a device that cannot tell goes on carrying.
"""
