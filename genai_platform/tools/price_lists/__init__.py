"""The clouds' public price lists: asked on request, kept in the cache folder, used until they are old."""
