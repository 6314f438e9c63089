"""The pages: Streamlit only, nothing that computes."""
