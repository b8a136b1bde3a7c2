package dev.layercake.model.tokenizer;

/** The rule that turns a word into tokens: the {@code model} section of a tokenizer.json. Immutable. */
sealed interface TokenModel permits BytePairModel, UnigramModel, WordPieceModel, WordLevelModel {
    /**
     * Appends the tokens of a word to {@code work.tokens}.
     *
     * @param utf8 holds the word from {@code from} to {@code to}, which is not empty
     */
    void encode(byte[] utf8, int from, int to, Workspace work);
}
