package dev.layercake.model.tokenizer;

import java.util.BitSet;

/** What one thread needs while it cuts a text; used again for the next text. */
final class Workspace {
    /** A longer array is not kept for the next text. */
    private static final int KEPT_BYTES = 1 << 20;

    final TokenList tokens = new TokenList();
    final WordCache cache = new WordCache();
    final ShortWord shortWord = new ShortWord();
    final LongWord longWord = new LongWord();
    TextWatch watch = new TextWatch(0, Integer.MAX_VALUE, Integer.MAX_VALUE, TokenizeProgress.NONE);
    /** Steps that regular expressions may still take on this text. */
    long steps = StepLimit.STEPS;

    /** Whether the text goes on after another, so that no blank is put before it. */
    boolean continues;

    /** Tokens that only their name in a trusted text stands for; no model makes them. */
    BitSet neverProduced = new BitSet();

    private byte[] bytes = new byte[1 << 10];

    /** Room for bytes of a word, valid until asked for again. */
    byte[] bytes(int atLeast) {
        if (atLeast <= bytes.length) {
            return bytes;
        }
        byte[] larger = new byte[atLeast];
        if (atLeast <= KEPT_BYTES) {
            bytes = larger;
        }
        return larger;
    }
}
