"""Views only translate between the outside and the modules that know."""
