"""outhaul: carries finished files to object storage, proves that they arrived, then lets go of the local copy."""
