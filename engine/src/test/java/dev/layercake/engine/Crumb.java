package dev.layercake.engine;

import java.nio.file.Path;

/** The bundled model, for tests. */
final class Crumb {
    private Crumb() {}

    /** Root of the repository. */
    static Path root() {
        return Path.of(System.getProperty("layercake.root", ".."));
    }

    static LanguageModel load(EngineOptions options) {
        return LanguageModel.load(root().resolve("models").resolve("crumb"), options);
    }
}
