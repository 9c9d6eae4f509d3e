"""Compare the evidence of many projects: a program for platform teams.

    uvx --from secure-django python -m secure_django.fleet evidence/

It needs no project and only the standard library. "Evidence" of the documents says how.
"""
