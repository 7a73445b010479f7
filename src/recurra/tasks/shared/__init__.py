"""What tasks share: options of recurrent layers and of data, vectors, the record of a run's data, evaluations."""
