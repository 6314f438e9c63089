"""Training: data, the loop, the store of runs, and the processes that run them. No Streamlit."""
