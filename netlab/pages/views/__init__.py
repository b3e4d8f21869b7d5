"""Views, one module for each kind of person. They translate: actions write, access functions read, templates show."""
