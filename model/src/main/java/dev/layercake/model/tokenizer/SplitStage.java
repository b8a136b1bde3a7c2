package dev.layercake.model.tokenizer;

/** Cuts a text where a pattern matches. */
record SplitStage(TextPattern pattern, Delimiter delimiter, boolean inverted, TextStage next) implements TextStage {
    /** What becomes of the matches. */
    enum Delimiter {
        REMOVED,
        ISOLATED,
        MERGED_WITH_PREVIOUS,
        MERGED_WITH_NEXT,
        CONTIGUOUS
    }

    @Override
    public void accept(String text, int from, int to, boolean first, Workspace work) {
        if (delimiter == Delimiter.ISOLATED) {
            pattern.cut(
                    text, from, to, work, (start, end, match) -> emit(text, start, end, first && start == from, work));
            return;
        }
        Merging merging = new Merging(text, from, first, work);
        pattern.cut(text, from, to, work, (start, end, match) -> merging.part(start, end, match != inverted));
        merging.emitHeld();
    }

    private void emit(String text, int start, int end, boolean first, Workspace work) {
        if (end > start) {
            next.accept(text, start, end, first, work);
        }
    }

    /** Holds one part back until it is known whether the next belongs to it. */
    private final class Merging {
        private final String text;
        private final int from;
        private final boolean first;
        private final Workspace work;
        private int heldStart;
        private int heldEnd;
        private boolean holds;
        private boolean heldMatch;

        Merging(String text, int from, boolean first, Workspace work) {
            this.text = text;
            this.from = from;
            this.first = first;
            this.work = work;
        }

        void part(int start, int end, boolean match) {
            if (delimiter == Delimiter.REMOVED) {
                if (!match) {
                    emit(text, start, end, first && start == from, work);
                }
                return;
            }
            boolean joins = holds
                    && switch (delimiter) {
                        case MERGED_WITH_PREVIOUS -> match && !heldMatch;
                        case MERGED_WITH_NEXT -> heldMatch && !match;
                        case CONTIGUOUS -> match == heldMatch;
                        case REMOVED, ISOLATED -> false;
                    };
            if (joins) {
                heldEnd = end;
                heldMatch = match;
                return;
            }
            emitHeld();
            heldStart = start;
            heldEnd = end;
            heldMatch = match;
            holds = true;
        }

        void emitHeld() {
            if (holds) {
                holds = false;
                emit(text, heldStart, heldEnd, first && heldStart == from, work);
            }
        }
    }
}
