"""Every Plotly figure and drawing."""
