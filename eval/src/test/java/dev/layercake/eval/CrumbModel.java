package dev.layercake.eval;

import dev.layercake.engine.EngineOptions;
import dev.layercake.engine.LanguageModel;
import java.nio.file.Path;

/** The bundled model, for tests. */
public final class CrumbModel {
    private CrumbModel() {}

    public static Path path() {
        return Path.of(System.getProperty("layercake.root", ".."), "models", "crumb");
    }

    public static LanguageModel load() {
        return LanguageModel.load(path(), EngineOptions.builder().threads(2).build());
    }
}
