"""The site of documents: one page for each file of sections.toml.

`python -m website` builds it into `.site/`, from the documents where they are kept: in
`docs/`, in the package, and in a generated project.
"""
