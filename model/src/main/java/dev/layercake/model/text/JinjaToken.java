package dev.layercake.model.text;

/** A piece of a template's source. */
record JinjaToken(Kind kind, String text, int line) {
    /** What a token is. */
    enum Kind {
        /** Text outside of tags, whitespace control already applied. */
        TEXT,
        OUTPUT_BEGIN,
        OUTPUT_END,
        TAG_BEGIN,
        TAG_END,
        NAME,
        INTEGER,
        FLOAT,
        STRING,
        OPERATOR,
        END
    }

    boolean is(Kind wanted) {
        return kind == wanted;
    }

    boolean isOperator(String symbol) {
        return kind == Kind.OPERATOR && text.equals(symbol);
    }

    boolean isName(String name) {
        return kind == Kind.NAME && text.equals(name);
    }

    /** The token as a message shows it. */
    String shown() {
        return switch (kind) {
            case END -> "the end of the template";
            case TAG_END -> "the end of the tag";
            case OUTPUT_END -> "the end of the expression";
            case TEXT -> "text";
            default -> "'" + text + "'";
        };
    }
}
