package dev.layercake.model.tokenizer;

/**
 * Byte pair encoding (Sennrich et al. 2016): a word is cut into symbols, and the pair of neighbours with the best merge
 * becomes one symbol until no pair has a merge.
 */
final class BytePairModel implements TokenModel {
    private final PieceTable pieces;
    private final Merges merges;
    private final SymbolRule symbols;
    private final boolean ignoresMerges;
    private final WordCuts cuts;

    /**
     * @param ignoresMerges whether a word that is in the vocabulary is taken whole
     * @param cuts where a word can be cut because no merge reaches across
     */
    BytePairModel(PieceTable pieces, Merges merges, SymbolRule symbols, boolean ignoresMerges, WordCuts cuts) {
        this.pieces = pieces;
        this.merges = merges;
        this.symbols = symbols;
        this.ignoresMerges = ignoresMerges;
        this.cuts = cuts;
    }

    @Override
    public void encode(byte[] utf8, int from, int to, Workspace work) {
        if (ignoresMerges) {
            encodePart(utf8, from, to, work);
            return;
        }
        int start = from;
        while (start < to) {
            int end = cuts.next(utf8, start, to);
            encodePart(utf8, start, end, work);
            start = end;
        }
    }

    private void encodePart(byte[] utf8, int from, int to, Workspace work) {
        work.watch.passed(to - from, work.tokens.size());
        if (to - from > WordCache.LONGEST_WORD) {
            merge(utf8, from, to, work);
            return;
        }
        int hash = PieceTable.hash(utf8, from, to);
        if (!work.cache.append(utf8, from, to, hash, work.tokens)) {
            int first = work.tokens.size();
            merge(utf8, from, to, work);
            work.cache.put(utf8, from, to, hash, work.tokens, first);
        }
    }

    private void merge(byte[] utf8, int from, int to, Workspace work) {
        if (ignoresMerges) {
            int whole = symbols.find(pieces, utf8, from, to);
            if (whole >= 0 && !work.neverProduced.get(whole)) {
                work.tokens.add(whole);
                return;
            }
        }
        // No token is longer than the longest piece: a word that is too long for the room need not be merged to know.
        work.watch.requireAtMost(work.tokens.size() + (to - from) / Math.max(1, pieces.longest()));
        LongWord word = work.longWord;
        word.clear();
        symbols.addTo(word, utf8, from, to);
        int first = work.tokens.size();
        if (word.size() <= ShortWord.MOST_SYMBOLS) {
            work.shortWord.merge(word.symbols(), word.size(), merges, work.tokens);
        } else {
            word.merge(merges, work);
        }
        for (int i = first; i < work.tokens.size(); i++) {
            if (work.neverProduced.get(work.tokens.get(i))) {
                takeApart(first, work);
                return;
            }
        }
    }

    /** Writes control tokens that were merged out of ordinary text as the symbols that they were merged from. */
    private void takeApart(int first, Workspace work) {
        int[] merged = work.tokens.toArray();
        work.tokens.truncate(first);
        for (int i = first; i < merged.length; i++) {
            byte[] bytes = pieces.bytes(merged[i]);
            int[] alone = work.neverProduced.get(merged[i]) ? symbols.ofPiece(bytes) : new int[] {merged[i]};
            work.tokens.addAll(alone, 0, alone.length);
        }
    }
}
