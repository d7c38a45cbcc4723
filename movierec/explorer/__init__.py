"""The explorer: what a person sees and clicks in JupyterLab and on the page."""
