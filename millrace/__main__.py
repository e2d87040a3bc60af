from millrace.cli import app

app()
