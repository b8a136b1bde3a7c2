package dev.layercake.model.tokenizer;

/** A word is a token, or unknown. */
final class WordLevelModel implements TokenModel {
    private final PieceTable pieces;
    private final int unknown;

    WordLevelModel(PieceTable pieces, int unknown) {
        this.pieces = pieces;
        this.unknown = unknown;
    }

    @Override
    public void encode(byte[] utf8, int from, int to, Workspace work) {
        work.watch.passed(to - from, work.tokens.size());
        int id = pieces.find(utf8, from, to);
        work.tokens.add(id < 0 ? unknown : id);
    }
}
