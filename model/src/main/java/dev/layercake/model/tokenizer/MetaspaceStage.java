package dev.layercake.model.tokenizer;

/** Writes blanks as a visible character, puts one before words, and cuts before each. */
record MetaspaceStage(String blank, Prefix prefix, boolean splits, TextStage next) implements TextStage {
    /** Which parts of a text get a blank before them. */
    enum Prefix {
        FIRST,
        NEVER,
        ALWAYS
    }

    private String written(String part, Workspace work) {
        if (blank.length() > 1) {
            work.watch.made(blank.length() * part.chars().filter(c -> c == ' ').count());
        }
        work.watch.made(part.length());
        return part.replace(" ", blank);
    }

    @Override
    public void accept(String text, int from, int to, boolean first, Workspace work) {
        String part = written(text.substring(from, to), work);
        boolean prefixed = prefix == Prefix.ALWAYS
                ? !(first && work.continues)
                : prefix == Prefix.FIRST && first && !work.continues;
        if (prefixed && !part.startsWith(blank)) {
            work.watch.made(blank.length());
            part = blank + part;
        }
        if (!splits) {
            next.accept(part, 0, part.length(), first, work);
            return;
        }
        int start = 0;
        while (start < part.length()) {
            int end = part.indexOf(blank, start + 1);
            end = end < 0 ? part.length() : end;
            next.accept(part, start, end, first && start == 0, work);
            start = end;
        }
    }
}
