"""The rules of the configuration, each as inputs and the lines that follow from them."""
