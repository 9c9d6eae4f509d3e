"""Make an app by Django's startapp; name it in settings, URLs and imports.

In the files of app_template/, `notes`, `Notes` and `Note` become the app, its title and
its model, and `a note` becomes one object. Named fields take the place of `text`; an
object always has a title.
"""
