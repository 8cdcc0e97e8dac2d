"""Picture files in and out, one or many, with what they say beside their pixels."""
