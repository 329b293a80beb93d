<<<<<<< HEAD
"""Profiles of the older programs."""
=======
"""Configurations of the older programs, and the jobs that they become."""
>>>>>>> main
