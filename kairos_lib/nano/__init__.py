"""The offline models and the small synthetic world they are trained on."""
