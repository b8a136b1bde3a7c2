package dev.layercake.model.format;

/** Text from a file, made safe for a message of one line. */
public final class Quote {
    private static final int LONGEST = 80;

    private Quote() {}

    /** The text in quotes, without control characters, cut after {@value #LONGEST} characters. */
    public static String of(String text) {
        StringBuilder quoted = new StringBuilder("\"");
        text.codePoints()
                .limit(LONGEST)
                .map(c -> Character.isISOControl(c) || !Character.isDefined(c) ? '?' : c)
                .forEach(quoted::appendCodePoint);
        return quoted.append(text.length() > LONGEST ? "...\"" : "\"").toString();
    }
}
