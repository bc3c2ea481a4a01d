"""The trained classifier: text and features, model, store and journal, corpora, evaluation."""
