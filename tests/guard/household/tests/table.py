ROWS = ""
