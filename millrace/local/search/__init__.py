"""What the emulated search services share: texts of documents, the line of work, and finding words in them."""
