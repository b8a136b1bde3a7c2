package dev.layercake.model.tokenizer;

import org.jspecify.annotations.Nullable;

/**
 * Puts a blank before every part that has none, if the file says so, and cuts it into words as GPT-2 does.
 *
 * @param words what cuts a part into words, null to leave it whole
 */
record ByteLevelStage(boolean prefixesBlank, @Nullable TextPattern words, TextStage next) implements TextStage {
    static final String GPT_2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

    @Override
    public void accept(String text, int from, int to, boolean first, Workspace work) {
        if (prefixesBlank && text.charAt(from) != ' ' && !(first && work.continues)) {
            work.watch.made(to - from + 1);
            String prefixed = " " + text.substring(from, to);
            cut(prefixed, 0, prefixed.length(), first, work);
        } else {
            cut(text, from, to, first, work);
        }
    }

    private void cut(String text, int from, int to, boolean first, Workspace work) {
        if (words == null) {
            next.accept(text, from, to, first, work);
            return;
        }
        words.cut(text, from, to, work, (start, end, match) -> {
            if (end > start) {
                next.accept(text, start, end, first && start == from, work);
            }
        });
    }
}
