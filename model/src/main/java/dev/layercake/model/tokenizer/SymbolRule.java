package dev.layercake.model.tokenizer;

/** How byte pair encoding cuts a word into its first symbols. */
sealed interface SymbolRule permits ByteSymbols, CharacterSymbols {
    /** Adds the symbols of a word. */
    void addTo(LongWord word, byte[] utf8, int from, int to);

    /** The number of the piece that is the whole word, or -1. */
    int find(PieceTable pieces, byte[] utf8, int from, int to);

    /** The symbols of a piece as the vocabulary writes it. */
    default int[] ofPiece(byte[] piece) {
        LongWord word = new LongWord();
        addPieceTo(word, piece);
        return java.util.Arrays.copyOf(word.symbols(), word.size());
    }

    void addPieceTo(LongWord word, byte[] piece);
}
