"""What a platform's and an environment's name may be: both become part of names in the clouds. Imports nothing slow."""

NAME = r"[a-z](-?[a-z0-9])*"
NAME_LENGTH = 16
