package dev.layercake.model.text;

/** The text rendered so far, by the template or by one of its blocks. */
final class JinjaOutput {
    private final JinjaBudget budget;
    private final StringBuilder text = new StringBuilder();

    JinjaOutput(JinjaBudget budget) {
        this.budget = budget;
    }

    void append(String part) {
        budget.charge(part.length() / 32);
        text.append(part);
        if (text.length() > JinjaBudget.MAX_TEXT) {
            throw JinjaException.of("the output is longer than " + JinjaBudget.MAX_TEXT + " characters");
        }
    }

    String text() {
        return text.toString();
    }
}
