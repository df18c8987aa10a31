int main(void) {
    return printf("Hello from C\n") - ;
}
