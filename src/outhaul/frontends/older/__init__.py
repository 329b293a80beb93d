<<<<<<< HEAD
"""The commands of the older programs, as their users know them: one module each."""
=======
"""The commands of the older programs, one module each, with the interface that their users know."""
>>>>>>> main
