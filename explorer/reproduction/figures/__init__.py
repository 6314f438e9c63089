"""Plotly figures of the paper's evidence: our seeds as dots, means, the authors' as open diamonds. No Streamlit."""
