package dev.layercake.model.tokenizer;

import java.lang.Character.UnicodeScript;

/**
 * Cuts a text where its script changes. The scripts of Japanese are one with Chinese, and blanks and characters that are not
 * assigned go with what stands before them; those at the beginning of a part vanish.
 */
record ScriptStage(TextStage next) implements TextStage {
    /** The mark of a long vowel, which belongs to both syllabaries. */
    private static final int LONG_VOWEL = 0x30FC;

    @Override
    public void accept(String text, int from, int to, boolean first, Workspace work) {
        UnicodeScript last = UnicodeScript.UNKNOWN;
        int start = to;
        for (int at = from; at < to; ) {
            int codePoint = text.codePointAt(at);
            UnicodeScript script = scriptOf(codePoint);
            if (script != UnicodeScript.UNKNOWN && script != last) {
                if (last != UnicodeScript.UNKNOWN) {
                    next.accept(text, start, at, first && start == from, work);
                }
                start = at;
                last = script;
            }
            at += Character.charCount(codePoint);
        }
        if (start < to) {
            next.accept(text, start, to, first && start == from, work);
        }
    }

    private static UnicodeScript scriptOf(int codePoint) {
        if (codePoint == ' ') {
            return UnicodeScript.UNKNOWN;
        }
        if (codePoint == LONG_VOWEL) {
            return UnicodeScript.HAN;
        }
        UnicodeScript script = UnicodeScript.of(codePoint);
        return script == UnicodeScript.HIRAGANA || script == UnicodeScript.KATAKANA ? UnicodeScript.HAN : script;
    }
}
